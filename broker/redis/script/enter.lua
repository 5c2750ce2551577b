-- ARGV: channel, verb, owner, TTL in ms, connection, JSON
local owner, conn, json = ARGV[3], ARGV[5], ARGV[6]
local old = redis.call('HGET', KEYS[1], conn)
if old then
  local was = string.match(old, '^(.-)\n')
  if was ~= owner then redis.call('ZREM', KEYS[2], 'o:' .. was .. '\0' .. conn) end
end
redis.call('HSET', KEYS[1], conn, owner .. '\n' .. json)
redis.call('ZADD', KEYS[2], 0, 'c:' .. conn, 0, 'o:' .. owner .. '\0' .. conn)
redis.call('ZADD', KEYS[3], now + ARGV[4], owner)
keep(ARGV[4])
if not old then redis.call(ARGV[2], ARGV[1], '\3' .. json) end
return 0
