// An OpenID provider of the tests' own, on the port PORT. Whoever signs in as "ada" is
// ada@example.com; who begins with "unverified-" has an address that nobody has verified.
import Provider from 'oidc-provider';

console.info = console.warn = () => {}; // that it is no provider for the world
const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;
const callbacks = ['acme', 'second', 'posting', 'public'].map(
  (id) => `http://app.test/auth/callback/${id}`,
);
const client = {
  redirect_uris: callbacks,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};

const provider = new Provider(issuer, {
  clients: [
    { ...client, client_id: 'app', client_secret: 'a secret: with + and %' },
    {
      ...client,
      client_id: 'app-by-post',
      client_secret: 'another secret',
      token_endpoint_auth_method: 'client_secret_post',
    },
    { ...client, client_id: 'app-public', token_endpoint_auth_method: 'none' },
  ],
  claims: { email: ['email', 'email_verified'], profile: ['name', 'picture'] },
  cookies: { keys: ['a key of the tests'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id.replace(/^(unverified|second)-/, '')}@example.com`,
      email_verified: !id.startsWith('unverified-'),
      name: `${id[0].toUpperCase()}${id.slice(1)} of the provider`,
      picture: `${issuer}/pictures/${id}.png`,
    }),
  }),
  issueRefreshToken: async (ctx, asking) => asking.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  pkce: { methods: ['S256'], required: () => true },
  ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 3600, IdToken: 3600, Interaction: 600, RefreshToken: 7200, Session: 3600 },
});

// A server that is walked by the JavaScript client is on any port of this machine.
const walked = /^http:\/\/127\.0\.0\.1:\d+\/api\/auth\/callback\/acme$/;
const { redirectUriAllowed } = provider.Client.prototype;
provider.Client.prototype.redirectUriAllowed = function (uri, ...more) {
  return walked.test(uri) || redirectUriAllowed.call(this, uri, ...more);
};

// How often tokens were refreshed, and what was refused, for the tests to ask.
let refreshes = 0;
provider.on('grant.success', (ctx) => {
  if (ctx.oidc.params.grant_type === 'refresh_token') refreshes += 1;
});
provider.use(async (ctx, next) => {
  if (ctx.path === '/test/refreshes') ctx.body = { refreshes };
  else await next();
});

provider.listen(port, '127.0.0.1', () => console.log(issuer));
