-- ARGV: channel, verb, TTL, owner, connection, JSON if it was announced
local owner, conn = ARGV[4], ARGV[5]
local element, whose, json = find(conn)
if whose == owner then
  drop(conn, element, owner)
  redis.call(verb, channel, '\4' .. json)
  if count('o:' .. owner .. '\0') == 0 then tell(owner, '-') end
elseif not element and ARGV[6] ~= '' and not owners[owner] and not buried(owner) then
  redis.call(verb, channel, '\4' .. ARGV[6]) -- the key was lost, and nobody was told
end
return 0
