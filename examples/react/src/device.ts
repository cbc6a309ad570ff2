const BROWSERS: [RegExp, string][] = [
  [/Edg\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\//, "Firefox"],
  [/(Chrome|CriOS)\//, "Chrome"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Mac OS X/, "macOS"],
  [/Windows/, "Windows"],
  [/Linux/, "Linux"],
];

/** What a person calls a device: "Firefox on Windows". */
export function device(userAgent: string | null | undefined): string {
  const known = (names: [RegExp, string][]) =>
    names.find(([pattern]) => pattern.test(userAgent ?? ""))?.[1];
  const browser = known(BROWSERS) ?? userAgent?.split(/[/ ]/)[0] ?? "Unknown device";
  const system = known(SYSTEMS);
  return system ? `${browser} on ${system}` : browser;
}
