-- Keeps an owner alive, or ends it (TTL 0), and removes the members of those that have expired.
-- ARGV: channel, verb, TTL, owner ("": a visitor without members), 1 to end the owner, then owners that have died; see died
-- Reply: 1 if the owner is not known and 2 if it was announced as gone, how many members it has, ms until the next other
--        owner expires (-1: there is none), 1 for more, the other owners that have members
local owner, state = ARGV[4], 0
if ARGV[5] == '1' then
  if owners[owner] then live(owner, 0, ttl) end
elseif owner ~= '' then
  if owners[owner] then
    live(owner, now + ttl, ttl)
  else
    state = buried(owner) and 2 or 1
  end
end
if next(owners) then listen() end
for _, element in ipairs(range('g:')) do
  if tonumber(string.match(element, '%z(%d+)$')) < now then redis.call('ZREM', key, element) end
end
died(6)
local more = purge(500)
local wait, others = -1, {}
for other, o in pairs(owners) do
  if other ~= owner and count('o:' .. other .. '\0') > 0 then others[#others + 1] = other end
  if other ~= owner and (wait < 0 or o.expires - now < wait) then wait = math.max(0, o.expires - now) end
end
for _, element in ipairs(range('w:')) do
  local other = string.match(element, '^w:(.-)%z')
  if other ~= owner then others[#others + 1] = other end
end
local mine = 0
if owner ~= '' then mine = count('o:' .. owner .. '\0') end
return {state, mine, wait, more and 1 or 0, others}
