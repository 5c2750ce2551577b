# Sums up a coverage profile by package. A block that several test binaries ran is in it several times.
NR > 1 {
	statements[$1] = $2
	if ($3 > 0) hit[$1] = 1
}
END {
	for (block in statements) {
		package = block
		sub(/\/[^\/]*$/, "", package)
		total[package] += statements[block]; all += statements[block]
		if (block in hit) { covered[package] += statements[block]; allhit += statements[block] }
	}
	for (package in total) printf "%6.1f%%  %s\n", 100 * covered[package] / total[package], package | "sort -k2"
	close("sort -k2")
	if (all) printf "%6.1f%%  total\n", 100 * allhit / all
}
