// Package browsertest starts a browser for the tests of pages. It must be imported by tests only.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience bounds a whole test in the browser: several run at once on two cores.
const patience = 5 * time.Minute

// Microphone lets pages use a microphone that speaks a WAV file, once, from the moment when it is opened.
func Microphone(wav string) []chromedp.ExecAllocatorOption {
	return []chromedp.ExecAllocatorOption{
		chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", wav+"%noloop"),
	}
}

// Start returns a context of chromedp for Debian's Chromium with an empty profile, which ends with the test.
// Without Chromium the test is skipped, or fails with CI=true. opts are further flags.
func Start(t testing.TB, opts ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing: run make deps")
		}
		t.Skip("chromium is missing: run make deps")
	}
	deadline, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	all := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(deadline, append(all, opts...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}
