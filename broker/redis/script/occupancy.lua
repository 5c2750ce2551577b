-- Which nodes have members in which rooms. KEYS: one sorted set, whose elements have the score 0 and are
--   "r:" room "\0" owner                an owner has members in the room
--   "o:" owner "\0" room                the same, by owner
--   "f:" owner "\0" room                the owner was told that the room is used, of all owners
--   "t:" owner "\0" expires " " TTL     until when an owner is taken to be alive
--   "p:" heard                          when somebody was last heard
-- ARGV: "occupy", "vacate", "tend" or "quit", owner, TTL, then for occupy 1 if the owner has occupied other rooms, and rooms; for
--       vacate one room. Times are in ms.
-- Reply: 1 if the owner is not known, and nothing was done; 1 for more; ms until the next other owner expires, at most 60,000; rooms that are used by now; rooms that are empty by now.
--        Those are told to nobody else. Asked again because no reply came, occupy and vacate reply the same.
local key, op, owner, ttl = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local used, empty, more = {}, {}, 0

local function range(prefix, n)
  local stop = string.sub(prefix, 1, -2) .. string.char(string.byte(prefix, -1) + 1)
  return redis.call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. stop, 'LIMIT', 0, n or -1)
end
local function has(element) return redis.call('ZLEXCOUNT', key, '[' .. element, '[' .. element) == 1 end
local function vacant(room) return #range('r:' .. room .. '\0', 1) == 0 end
local function add(element) redis.call('ZADD', key, 0, element) end
local function remove(element) redis.call('ZREM', key, element) end

local owners = {}
for _, element in ipairs(range('t:')) do
  local name, expires, life = string.match(element, '^t:(.-)%z(%d+) (%d+)$')
  owners[name] = {element = element, expires = tonumber(expires), ttl = tonumber(life)}
end
local function live(name, expires, life)
  if owners[name] then remove(owners[name].element) end
  local element = string.format('t:%s\0%.0f %.0f', name, expires, life)
  add(element)
  owners[name] = {element = element, expires = expires, ttl = life}
end
-- Forgets who was told that a room is used.
local function untell(room)
  for name in pairs(owners) do remove('f:' .. name .. '\0' .. room) end
end

if op == 'quit' then
  if owners[owner] then live(owner, 0, ttl) end
  return {0, 0, 0, used, empty}
end

-- While nobody at all was heard, Redis could not be reached: that is no sign of death. Nobody lives longer than a TTL from now.
local pulse = range('p:', 1)[1]
local heard = tonumber(string.match(pulse or 'p:0', '%d+'))
for name, o in pairs(owners) do
  if o.expires > now + o.ttl then live(name, now + o.ttl, o.ttl)
  elseif o.expires > 0 and now - heard > 0.75 * o.ttl and o.expires < now + o.ttl / 2 then live(name, now + math.floor(o.ttl / 2), o.ttl) end
end
if pulse then remove(pulse) end
add(string.format('p:%.0f', now))

local known = owners[owner] ~= nil
if known then live(owner, now + ttl, ttl) end
if op == 'occupy' then
  if not known and ARGV[4] == '1' then return {1, 0, 0, used, empty} end
  live(owner, now + ttl, ttl)
  for i = 5, #ARGV do
    local room = ARGV[i]
    if has('r:' .. room .. '\0' .. owner) then
      if has('f:' .. owner .. '\0' .. room) then used[#used + 1] = room end
    else
      if vacant(room) then
        untell(room)
        add('f:' .. owner .. '\0' .. room)
        used[#used + 1] = room
      end
      add('r:' .. room .. '\0' .. owner)
      add('o:' .. owner .. '\0' .. room)
    end
  end
elseif op == 'vacate' then
  local room = ARGV[4]
  remove('r:' .. room .. '\0' .. owner)
  remove('o:' .. owner .. '\0' .. room)
  if vacant(room) then
    untell(room)
    empty[1] = room
  end
elseif not known then
  return {1, 0, 0, used, empty}
end

-- Removes owners that have expired. Whoever is told of their rooms is the one that asks.
if op == 'tend' then
  local budget = 500
  for name, o in pairs(owners) do
    if o.expires <= now then
      local mine = 'o:' .. name .. '\0'
      for _, element in ipairs(range(mine, budget)) do
        local room = string.sub(element, #mine + 1)
        budget = budget - 1
        remove(element)
        remove('r:' .. room .. '\0' .. name)
        if vacant(room) then
          untell(room)
          empty[#empty + 1] = room
        end
      end
      local told = 'f:' .. name .. '\0'
      for _, element in ipairs(range(told, budget)) do
        local room = string.sub(element, #told + 1)
        budget = budget - 1
        remove(element)
        add('f:' .. owner .. '\0' .. room)
        used[#used + 1] = room
      end
      if budget <= 0 then
        more = 1
        break
      end
      remove(o.element)
      owners[name] = nil
    end
  end
end
redis.call('PEXPIRE', key, math.max(2 * ttl, 60000))
local wait = 60000
for name, o in pairs(owners) do
  if name ~= owner then wait = math.max(0, math.min(wait, o.expires - now + 1)) end
end
return {0, more, wait, used, empty}
