-- Lists members in the order of their connections.
-- ARGV: channel, verb, TTL, owner ("": the asker has no members), connection to go on after ("": from the first), limit (0: only
--       count), then owners that have died; see died
-- Reply: 1 if there is more to purge first, 2 if the asker's members are missing, 3 if others' may be; count, members as JSON, connection of the last one
local owner = ARGV[4]
if owner ~= '' and not owners[owner] then return {2, 0, {}, ''} end
if mending > now then return {3, 0, {}, ''} end
died(7)
for _, element in ipairs(range('w:')) do
  local other, till = string.match(element, '^w:(.-)%z(%d+)$')
  local over = tonumber(till) <= now
  for i = 7, #ARGV, 2 do over = over or ARGV[i] == other end
  if not over then return {3, 0, {}, ''} end
  redis.call('ZREM', key, element)
end
if purge(500) then return {1, 0, {}, ''} end
local all = count('m:')
if ARGV[6] == '0' then return {0, all, {}, ''} end
local from = '[m:'
if ARGV[5] ~= '' then from = '[m:' .. ARGV[5] .. '\1' end
local elements = redis.call('ZRANGEBYLEX', key, from, '(m;', 'LIMIT', 0, ARGV[6])
local list, last = {}, ''
for i, element in ipairs(elements) do
  local conn, json = string.match(element, '^m:(.-)%z.-%z(.*)$')
  list[i], last = json, conn
end
return {0, all, list, last}
