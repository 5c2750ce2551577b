-- Announces a node and forgets those that have expired.
-- KEYS: nodes. ARGV: TTL in ms, node, JSON (without node: only list)
-- Reply: node, ms since it was seen, JSON, and so on
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] then
  local entry = string.format('%.0f ', now) .. ARGV[3]
  local done = redis.pcall('HSET', KEYS[1], ARGV[2], entry)
  if type(done) == 'table' and done.err then
    if string.find(done.err, 'WRONGTYPE', 1, true) then redis.call('DEL', KEYS[1]) end -- all nodes announce themselves again
    redis.call('HSET', KEYS[1], ARGV[2], entry)
  end
  redis.call('PEXPIRE', KEYS[1], 2 * ARGV[1])
end
local all, list = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local seen, json = string.match(all[i + 1], '^(%d+) (.*)$')
  local idle = seen and now - seen
  if not idle or idle > tonumber(ARGV[1]) then
    redis.call('HDEL', KEYS[1], all[i])
  else
    list[#list + 1], list[#list + 2], list[#list + 3] = all[i], math.max(0, idle), json
  end
end
return list
