-- Put in front of the scripts of presence. KEYS: one sorted set, whose elements have the score 0 and are
--   "m:" connection "\0" owner "\0" JSON      a member
--   "o:" owner "\0" connection                the same, by owner
--   "t:" owner "\0" expires " " TTL           until when an owner is taken to be alive
--   "g:" owner "\0" until                     an owner whose members were announced as gone; forgotten then
--   "p:" heard " " mending                    when somebody was last heard; until when members may be missing
--   "w:" owner "\0" until                     an owner whose members are missing since the key was lost
-- One key is lost whole or not at all. ARGV: channel, verb, TTL of the caller, ... Times are in ms.
local key, channel, verb, ttl = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local BURIED = 24 * 3600 * 1000

-- The elements that begin with a prefix, n at most. The prefix ends with ":" or "\0".
local function range(prefix, n)
  local stop = string.sub(prefix, 1, -2) .. string.char(string.byte(prefix, -1) + 1)
  return redis.call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. stop, 'LIMIT', 0, n or -1)
end
local function count(prefix)
  local stop = string.sub(prefix, 1, -2) .. string.char(string.byte(prefix, -1) + 1)
  return redis.call('ZLEXCOUNT', key, '[' .. prefix, '(' .. stop)
end
local function replace(old, new)
  if old == new then return end
  if new then redis.call('ZADD', key, 0, new) end
  if old then redis.call('ZREM', key, old) end
end

local pulse = range('p:', 1)[1]
local heard, mending = string.match(pulse or 'p:0 0', '^p:(%d+) (%d+)$')
heard, mending = tonumber(heard), tonumber(mending)

local owners = {}
for _, element in ipairs(range('t:')) do
  local owner, expires, life = string.match(element, '^t:(.-)%z(%d+) (%d+)$')
  owners[owner] = {element = element, expires = tonumber(expires), ttl = tonumber(life)}
end
local function live(owner, expires, life)
  local new = string.format('t:%s\0%.0f %.0f', owner, expires, life)
  local o = owners[owner]
  replace(o and o.element, new)
  owners[owner] = {element = new, expires = expires, ttl = life}
end
local function buried(owner) return range('g:' .. owner .. '\0', 1)[1] end

-- Notes that Redis can be written to, which is what makes silence mean something.
local function listen(mend)
  mending = mend or mending
  local new = string.format('p:%.0f %.0f', now, mending)
  if new ~= pulse then
    replace(pulse, new)
    pulse = new
  end
  redis.call('PEXPIRE', key, 2 * ttl)
end
if pulse then
  -- A clock that was set back: nobody lives longer than a TTL from now.
  local back = heard > now
  if mending > now + ttl then mending = now + ttl end
  for owner, o in pairs(owners) do
    -- While nobody at all was heard, Redis could not be reached: that is no sign of death.
    local deaf = now - heard > 0.75 * o.ttl
    if o.expires > now + o.ttl then live(owner, now + o.ttl, o.ttl)
    elseif deaf and o.expires < now + o.ttl / 2 then live(owner, now + math.floor(o.ttl / 2), o.ttl) end
  end
  if back or now - heard > ttl / 4 then listen() end
end

local function find(conn)
  local element = range('m:' .. conn .. '\0', 1)[1]
  if not element then return nil end
  local owner, json = string.match(string.sub(element, #conn + 4), '^(.-)%z(.*)$')
  return element, owner, json
end
local function drop(conn, element, owner) return redis.call('ZREM', key, element, 'o:' .. owner .. '\0' .. conn) end

-- Has owners expire that the caller knows to be dead, unless they were heard since: each with the ms since it has known.
local function died(from)
  for i = from, #ARGV, 2 do
    local o = owners[ARGV[i]]
    if o and o.expires > now and o.expires - o.ttl <= now - tonumber(ARGV[i + 1]) then o.expires = now end
  end
end

-- Tells nodes that an owner has members here, or none any more, so that they know whom to wait for if the key is lost.
local function tell(owner, what) redis.call(verb, channel, '\7' .. what .. owner) end
local function awaited(owner) return range('w:' .. owner .. '\0', 1)[1] end

-- Removes the members of owners that have expired, budget of them at most, and announces it. True if more are left.
local function purge(budget)
  for owner, o in pairs(owners) do
    if o.expires <= now then
      local mine = 'o:' .. owner .. '\0'
      for _, element in ipairs(range(mine, budget + 1)) do
        if budget == 0 then return true end
        budget = budget - 1
        local conn = string.sub(element, #mine + 1)
        local member, whose, json = find(conn)
        if whose == owner then
          redis.call('ZREM', key, member)
          redis.call(verb, channel, '\4' .. json)
        end
        redis.call('ZREM', key, element)
      end
      redis.call('ZREM', key, o.element)
      tell(owner, '-')
      if o.expires > 0 then
        redis.call('ZADD', key, 0, string.format('g:%s\0%.0f', owner, now + BURIED))
        redis.call('PEXPIRE', key, BURIED)
      end
      owners[owner] = nil
    end
  end
  if pulse and next(owners) == nil and count('m:') + count('g:') == 0 then redis.call('DEL', key) end
  return false
end
