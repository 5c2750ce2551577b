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
	dst = append(dst, '$')
	dst = strconv.AppendInt(dst, int64(len(word)), 10)
	dst = append(dst, '\r', '\n')
	dst = append(dst, word...)
	return append(dst, '\r', '\n')
}
