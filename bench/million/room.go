package main

import "strconv"

const (
	streamPath = "/events"

	commonRoom = "all"
	smallRooms = "small:"
)

func smallRoom(k int) string { return smallRooms + strconv.Itoa(k) }

// scatter is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
// OOPSLA 2014): it makes of consecutive numbers such as look drawn at random, the same every time.
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// homeOf is the small room of connection i. It is drawn at random, so that the members of a room are spread over
// most of the nodes, as users are who come through a load balancer.
func homeOf(i, rooms int) int { return int(scatter(uint64(i)) % uint64(rooms)) }

// roomOf is the small room of message i: all rooms take turns, in an order that does not follow their numbers.
func roomOf(i, rooms int) int {
	const step = 7919 // a prime: coprime to any number of rooms that it does not divide
	if rooms%step == 0 {
		return i % rooms
	}
	return i % rooms * step % rooms
}
