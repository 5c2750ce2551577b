package redis

import (
	"errors"
	"net"
	"strconv"

	"github.com/redis/rueidis"
)

// parseSlots reads an answer to CLUSTER SLOTS. A server that does not know its own name means the
// address at which it was asked.
func parseSlots(asked string, ranges []rueidis.RedisMessage) (*[slots]string, error) {
	host, _, err := net.SplitHostPort(asked)
	if err != nil {
		return nil, err
	}
	var addrs [slots]string
	for _, r := range ranges {
		parts, err := r.ToArray()
		if err != nil || len(parts) < 3 {
			return nil, errors.New("unexpected answer to CLUSTER SLOTS")
		}
		from, err1 := parts[0].AsInt64()
		to, err2 := parts[1].AsInt64()
		master, err3 := parts[2].ToArray()
		if errors.Join(err1, err2, err3) != nil || len(master) < 2 || from < 0 || to >= slots {
			return nil, errors.New("unexpected answer to CLUSTER SLOTS")
		}
		name, err := master[0].ToString()
		if name == "" || err != nil {
			name = host
		}
		port, err := master[1].AsInt64()
		if err != nil {
			return nil, err
		}
		for slot := from; slot <= to; slot++ {
			addrs[slot] = net.JoinHostPort(name, strconv.FormatInt(port, 10))
		}
	}
	return &addrs, nil
}
