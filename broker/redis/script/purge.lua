-- Put in front of the scripts of presence. KEYS: members, index, owners
--   members: connection -> owner "\n" JSON; index: "c:" connection, and "o:" owner "\0" connection, all with score 0;
--   owners: owner -> when it expires, in ms
-- Removes the members of owners that have expired, budget of them at most, and announces it. True if more are left.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function purge(channel, verb, budget)
  for _, owner in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
    local mine = 'o:' .. owner .. '\0'
    local found = redis.call('ZRANGEBYLEX', KEYS[2], '[' .. mine, '(o:' .. owner .. '\1', 'LIMIT', 0, budget + 1)
    for i, element in ipairs(found) do
      if i > budget then return true end
      local conn = string.sub(element, #mine + 1)
      local member = redis.call('HGET', KEYS[1], conn)
      redis.call('ZREM', KEYS[2], element)
      if member and string.sub(member, 1, #owner + 1) == owner .. '\n' then
        redis.call('HDEL', KEYS[1], conn)
        redis.call('ZREM', KEYS[2], 'c:' .. conn)
        redis.call(verb, channel, '\4' .. string.sub(member, #owner + 2))
      end
    end
    budget = budget - #found
    redis.call('ZREM', KEYS[3], owner)
  end
  return false
end
local function keep(ttl)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, 2 * ttl) end
end
