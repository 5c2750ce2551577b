-- ARGV: channel, verb, owner, connection
local owner, conn = ARGV[3], ARGV[4]
local old = redis.call('HGET', KEYS[1], conn)
if old and string.sub(old, 1, #owner + 1) == owner .. '\n' then
  redis.call('HDEL', KEYS[1], conn)
  redis.call('ZREM', KEYS[2], 'c:' .. conn, 'o:' .. owner .. '\0' .. conn)
  redis.call(ARGV[2], ARGV[1], '\4' .. string.sub(old, #owner + 2))
end
return 0
