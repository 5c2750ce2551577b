package protocol

// The tables, for the tests that compare them with PROTOCOL.md.

func ErrorCodes() []ErrorCode {
	var codes []ErrorCode
	for _, e := range errorTable {
		codes = append(codes, e.code)
	}
	return codes
}

func CloseCodes() []CloseCode {
	var codes []CloseCode
	for _, e := range closeTable {
		codes = append(codes, e.code)
	}
	return codes
}

func (c CloseCode) TableName() string {
	e, _ := c.info()
	return e.name
}
