package redis

import (
	_ "embed"

	"github.com/redis/rueidis"
)

var (
	//go:embed script/publish.lua
	publishSource string
	//go:embed script/read.lua
	readSource string
	//go:embed script/attendance.lua
	attendanceSource string
	//go:embed script/enter.lua
	enterSource string
	//go:embed script/leave.lua
	leaveSource string
	//go:embed script/visit.lua
	visitSource string
	//go:embed script/members.lua
	membersSource string
	//go:embed script/announce.lua
	announceSource string
	//go:embed script/keep.lua
	keepSource string
	//go:embed script/occupancy.lua
	occupancySource string
)

// PublishScript returns the Lua script that Publish runs, for programs in other languages that publish to rooms
// with history. The package documentation has its keys and arguments.
func PublishScript() string { return publishSource }

// allScripts are all sources.
var allScripts = []string{publishSource, readSource, attendanceSource, enterSource, leaveSource, visitSource, membersSource, announceSource, keepSource, occupancySource}

// scripts are run by their hash, and sent whole to a server that does not know them.
var (
	publishScript  = rueidis.NewLuaScript(publishSource)
	readScript     = rueidis.NewLuaScript(readSource)
	enterScript    = rueidis.NewLuaScript(attendanceSource + enterSource)
	leaveScript    = rueidis.NewLuaScript(attendanceSource + leaveSource)
	visitScript    = rueidis.NewLuaScript(attendanceSource + visitSource)
	membersScript  = rueidis.NewLuaScript(attendanceSource + membersSource)
	announceScript = rueidis.NewLuaScript(announceSource)
	keepScript     = rueidis.NewLuaScript(keepSource)
	keepHash       = hashOf(keepSource)

	occupancyScript = rueidis.NewLuaScript(occupancySource)
)
