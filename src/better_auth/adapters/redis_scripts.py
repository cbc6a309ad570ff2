"""What happens in Redis as one step each, in Lua.

The keys of a step share a hash tag, their user's, so that each step works on a cluster too; but
for ``READ``, which looks into the keys of many users and is for a single server.
"""

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
"""Redis's own milliseconds, the only ones that are compared here."""

_LIFE = """
local info = redis.pcall('INFO', 'server')
local life = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
local function of_this_life(text)
    if text and string.sub(text, 1, #life + 1) == life .. ' ' then
        return string.sub(text, #life + 2)
    end
    return false
end
"""
"""Which life of the server's this is: another after a restart, and after a replica took over. Those
may hold copies that had been dropped, so that each says of which life it is."""

READ = (
    _NOW
    + _LIFE
    + """
local found = {}
for place, key in ipairs(KEYS) do
    local session, user = false, false
    local located = redis.call('GET', key)
    if located then
        local owner, id = string.match(located, '^(%S+) (.+)$')
        local of_owner = ARGV[1] .. '{' .. owner .. '}:'
        session = redis.call('HGET', of_owner .. ARGV[2], id)
        if ARGV[2] == 'copies' then session = of_this_life(session) end
        user = of_this_life(redis.call('GET', of_owner .. 'user'))
    end
    found[2 * place - 1], found[2 * place] = session, user
end
found[2 * #KEYS + 1] = string.format('%s %.0f', life, now)
return found
"""
)
"""KEYS: where tokens are located. ARGV: the prefix, what the hash is called. A session and a user
for each key, or nil, and at last the server's life and the present in milliseconds."""

READ_OF_OWNER = (
    _NOW
    + _LIFE
    + """
local session = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == 'copies' then session = of_this_life(session) end
return {session, of_this_life(redis.call('GET', KEYS[2])), string.format('%s %.0f', life, now)}
"""
)
"""KEYS: sessions, user. ARGV: a session's id, what the hash is called. The same for one whose owner
is known."""

_KEEP = """
local function keep(key, milliseconds)
    if redis.call('PTTL', key) < milliseconds then
        redis.call('PEXPIRE', key, milliseconds)
    end
end
"""

PUT = (
    _KEEP
    + """
if redis.call('HEXISTS', KEYS[2], 'gone') == 1 then return 'gone' end
if ARGV[5] == '' and redis.call('EXISTS', KEYS[3]) == 0 then return 'unknown' end
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there and there ~= ARGV[2] then return 'taken' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
keep(KEYS[1], tonumber(ARGV[3]))
if redis.call('HLEN', KEYS[1]) % 16 == 0 then
    local all = redis.call('HGETALL', KEYS[1])
    for at = 2, #all, 2 do
        if string.sub(cjson.decode(all[at]).expires_at, 1, 19) < ARGV[4] then
            redis.call('HDEL', KEYS[1], all[at - 1])
        end
    end
end
return 'put'
"""
)
"""KEYS: sessions, fence, user. ARGV: id, text, milliseconds to keep, the present (to the second),
anything if the user is known to exist. Now and then clears away what has expired."""

SWAP = (
    _KEEP
    + """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
keep(KEYS[1], tonumber(ARGV[4]))
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1
"""
)
"""KEYS: sessions. ARGV: id, the text seen, the new text, milliseconds to keep, channel, owner."""

REMOVE = """
local removed, any = {}, false
for at = 3, #ARGV, 2 do
    local is_same = redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1]
    if is_same then redis.call('HDEL', KEYS[1], ARGV[at]) end
    removed[#removed + 1] = is_same and 1 or 0
    any = any or is_same
end
if any then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return removed
"""
"""KEYS: sessions. ARGV: channel, owner, then an id and the text seen, again and again."""

FENCE = (
    _KEEP
    + """
redis.call('HSET', KEYS[1], ARGV[1], 1)
keep(KEYS[1], tonumber(ARGV[2]))
redis.call('DEL', unpack(KEYS, 2))
redis.call('PUBLISH', ARGV[3], ARGV[4])
"""
)
"""KEYS: fence, then what goes. ARGV: who changes (``gone``: the user will be), for how many
milliseconds at most, channel, owner."""

LIFT = (
    _NOW
    + _KEEP
    + """
redis.call('HDEL', KEYS[1], unpack(ARGV, 4))
redis.call('HSET', KEYS[1], 'lifted', now)
keep(KEYS[1], tonumber(ARGV[1]))
redis.call('DEL', unpack(KEYS, 2))
redis.call('PUBLISH', ARGV[2], ARGV[3])
"""
)
"""KEYS: fence, then what goes once more: where the fence did not stand all the time, it was copied
anew. ARGV: milliseconds for which a reading may take, channel, owner, then who have changed what
they wanted to."""

FILL = (
    _NOW
    + _LIFE
    + """
local life_then, began = string.match(ARGV[2], '^(%x*) (%d+)$')
began = tonumber(began)
if life_then ~= life or began > now then return 0 end
local lifted = tonumber(redis.call('HGET', KEYS[1], 'lifted') or 0)
local changing = redis.call('HLEN', KEYS[1]) - (lifted > 0 and 1 or 0)
if changing > 0 or lifted >= began or now - began > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[2], life .. ' ' .. ARGV[4], 'PX', ARGV[1])
if ARGV[5] then
    redis.call('HSET', KEYS[3], ARGV[5], life .. ' ' .. ARGV[6])
    if redis.call('PTTL', KEYS[3]) < 0 then redis.call('PEXPIRE', KEYS[3], ARGV[1]) end
end
return 1
"""
)
"""KEYS: fence, user, sessions. ARGV: milliseconds to keep, when the reading began and in which life
of the server's, how long one may take, the user's text, and where the table is kept too a session's
id and text. Nothing is written that was read before a change was over."""

NOTE = (
    _KEEP
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[3])
keep(KEYS[1], tonumber(ARGV[4]))
"""
)
"""KEYS: an index. ARGV: the present, the end of what is noted, the owner, milliseconds to keep."""

BEAT = """
local life = redis.call('GET', KEYS[1])
if life then
    redis.call('PEXPIRE', KEYS[1], 86400000)
else
    life = ARGV[1]
    redis.call('SET', KEYS[1], life, 'PX', 86400000)
end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return life
"""
"""KEYS: the mark of this life of the server's. ARGV: a new mark, should there be none; channel and
text of the beat. The mark, which is another after everything was flushed."""
