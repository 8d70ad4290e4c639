package rehearsal

// Stamped audio says of every millisecond which answer it belongs to and where it lies in it: eight µ-law bytes, a marker
// and seven digits. It is as loud as a voice (about −35 dBFS), and no digit looks like the marker.
const (
	stampBytes      = 8
	marker     byte = 0xC3
	digit0     byte = 0xD0 // µ-law of small values: digits are 0xD0–0xDF
	maxStamp        = 1 << 12
)

// stamped is ms milliseconds of an answer, 0 ≤ id < 4096.
func stamped(id, ms int) []byte {
	out := make([]byte, 0, ms*stampBytes)
	for at := range ms {
		out = append(out, marker)
		for _, n := range []int{id >> 8, id >> 4, id, at >> 12, at >> 8, at >> 4, at} {
			out = append(out, digit0|byte(n&15))
		}
	}
	return out
}

// stamp is one millisecond that was found.
type stamp struct{ id, at int }

// stamps finds the stamps in what a phone played, in order. A stamp of which only a part was played is not one.
func stamps(heard []byte) (found []stamp) {
	for i := 0; i+stampBytes <= len(heard); i++ {
		if s, ok := readStamp(heard[i:]); ok {
			found = append(found, s)
			i += stampBytes - 1
		}
	}
	return found
}

func readStamp(b []byte) (stamp, bool) {
	if len(b) < stampBytes || b[0] != marker {
		return stamp{}, false
	}
	n := 0
	for _, d := range b[1:stampBytes] {
		if d < digit0 || d > digit0|15 {
			return stamp{}, false
		}
		n = n<<4 | int(d&15)
	}
	return stamp{n >> 16, n & 0xFFFF}, true
}
