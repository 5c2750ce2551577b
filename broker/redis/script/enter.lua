-- ARGV: channel, verb, TTL, owner, what the owner holds against the key ("": nothing; "others": it has other members here;
--       or in ms: for how long members of others may be missing, since the key was lost), "more" or "last" if the owner lists all
--       its members in several calls, the others of which the owner knows that they have members here, each with a "\0" behind it,
--       then for each member connection, JSON, and 1 to announce it
-- Reply: 0, or 1 if the key was lost and 2 if the owner was announced as gone: then nothing was done, for others are missing
local owner, claim = ARGV[4], ARGV[5]
local grave = buried(owner)
if claim == 'others' and not owners[owner] then return grave and 2 or 1 end
local first = count('o:' .. owner .. '\0') == 0
for i = 8, #ARGV, 3 do
  local conn, json = ARGV[i], ARGV[i + 1]
  local element, was = find(conn)
  local new = 'm:' .. conn .. '\0' .. owner .. '\0' .. json
  if element ~= new then
    if element then drop(conn, element, was) end
    redis.call('ZADD', key, 0, new)
  end
  redis.call('ZADD', key, 0, 'o:' .. owner .. '\0' .. conn)
  if not element and ARGV[i + 2] == '1' then redis.call(verb, channel, '\3' .. json) end
end
live(owner, now + ttl, ttl)
if first then tell(owner, '+') end
if grave then redis.call('ZREM', key, grave) end
local lost = tonumber(claim)
if lost then
  for other in string.gmatch(ARGV[7], '%Z+') do
    if not owners[other] and not awaited(other) then
      redis.call('ZADD', key, 0, string.format('w:%s\0%.0f', other, now + ttl))
    end
  end
end
if ARGV[6] == 'last' then replace(awaited(owner), nil)
elseif ARGV[6] == 'more' and lost then replace(awaited(owner), string.format('w:%s\0%.0f', owner, now + ttl)) end
if lost and mending < now then
  listen(now + lost)
  redis.call(verb, channel, '\6') -- that all nodes do the same
else
  listen()
end
return 0
