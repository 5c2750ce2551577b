package resp

import "strconv"

// Text is what the words of a command are given as.
type Text interface{ ~string | ~[]byte }

// AppendCommand appends a command of whole words.
func AppendCommand[T Text](dst []byte, words ...T) []byte {
	dst = AppendHead(dst, len(words))
	for _, w := range words {
		dst = AppendWord(dst, w)
	}
	return dst
}

// AppendHead appends the beginning of a command of n words; AppendWord or AppendNumber appends each of them.
func AppendHead(dst []byte, n int) []byte {
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\r', '\n')
}

// AppendWord appends one word of a command.
func AppendWord[T Text](dst []byte, word T) []byte {
	dst = append(AppendSize(dst, len(word)), word...)
	return append(dst, '\r', '\n')
}

// AppendNumber appends a number as one word of a command.
func AppendNumber(dst []byte, n int64) []byte {
	var digits [20]byte
	return AppendWord(dst, strconv.AppendInt(digits[:0], n, 10))
}

// AppendSize appends the beginning of a word of n bytes, for who makes the word in place: these bytes come next,
// and then a line's end, CR and LF.
func AppendSize(dst []byte, n int) []byte {
	dst = append(dst, '$')
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\r', '\n')
}
