package hub_test

const childEnv = "HUB_TEST_CHILD"

func runChild(job string) int { return 1 }
