-- Lists members in the order of their connections.
-- ARGV: channel, verb, connection to go on after ("": from the first), limit (0: only count)
-- Reply: 1 if there is more to purge first, count, members as JSON, connection of the last one
if purge(ARGV[1], ARGV[2], 500) then return {1, 0, {}, ''} end
local count = redis.call('HLEN', KEYS[1])
if ARGV[4] == '0' then return {0, count, {}, ''} end
local from = '[c:'
if ARGV[3] ~= '' then from = '(c:' .. ARGV[3] end
local elements = redis.call('ZRANGEBYLEX', KEYS[2], from, '(c;', 'LIMIT', 0, ARGV[4])
if #elements == 0 then return {0, count, {}, ''} end
local conns = {}
for i, element in ipairs(elements) do conns[i] = string.sub(element, 3) end
local list = {}
for i, member in ipairs(redis.call('HMGET', KEYS[1], unpack(conns))) do
  if member then list[#list + 1] = string.match(member, '\n(.*)$') end
end
return {0, count, list, conns[#conns]}
