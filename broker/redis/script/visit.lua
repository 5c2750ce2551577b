-- Keeps an owner alive, or ends it (TTL 0), and removes the members of those that have expired.
-- ARGV: channel, verb, owner ("": a visitor without members), TTL in ms
-- Reply: 1 where the owner was not known any more, ms until the next other owner expires (-1: there is none), 1 for more
local owner, ttl = ARGV[3], tonumber(ARGV[4])
local lost = 0
if owner ~= '' then
  if ttl == 0 then
    redis.call('ZADD', KEYS[3], 'XX', 0, owner)
  elseif redis.call('ZSCORE', KEYS[3], owner) then
    redis.call('ZADD', KEYS[3], now + ttl, owner)
    keep(ttl)
  else
    lost = 1
  end
end
local more = purge(ARGV[1], ARGV[2], 500)
local wait = -1
local next = redis.call('ZRANGE', KEYS[3], 0, 1, 'WITHSCORES')
for i = 1, #next, 2 do
  if next[i] ~= owner then
    wait = math.max(0, next[i + 1] - now)
    break
  end
end
return {lost, wait, more and 1 or 0}
