package voice

// Aside runs f on a goroutine of its own, waits for it, and passes its panic on. What f needs of stack, and the
// database needs tens of kilobytes, is then not kept by the goroutine that stays for the length of a call.
func Aside(f func()) {
	ended := make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		f()
	}()
	if p := <-ended; p != nil {
		panic(p)
	}
}
