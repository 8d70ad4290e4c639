package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestReportFailsOnFaultsAndNeverOnTimes(t *testing.T) {
	t.Parallel()
	slow := result{Name: "as it is", Calls: 2, Clean: 2, Up: spread{10, 900, 9000, 90_000}, Late: spread{Max: 400}, Faults: []string{}}
	bad := result{Name: "commits +5ms", Calls: 2, Clean: 1, Faults: []string{"load-0002: the caller gave up"}, LogTail: "level=ERROR"}
	opt := options{Calls: 2, Duration: 30 * time.Second}

	ok := newReport(opt, []result{slow})
	var table bytes.Buffer
	if err := ok.table(&table); err != nil || !ok.OK {
		t.Fatalf("ok %v, %v", ok.OK, err)
	}
	for _, want := range []string{"2 of 2", "900.00 ms", "nothing left over", "400 ms late"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is missing in\n%s", want, table.String())
		}
	}

	failed := newReport(opt, []result{slow, bad})
	table.Reset()
	if err := failed.table(&table); err != nil || failed.OK {
		t.Fatalf("ok %v, %v", failed.OK, err)
	}
	for _, want := range []string{"1 of 2", "load-0002: the caller gave up", "level=ERROR", "FAILED"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is missing in\n%s", want, table.String())
		}
	}

	var raw bytes.Buffer
	if err := writeJSON(&raw, failed); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(raw.Bytes(), &back); err != nil || back.OK || len(back.Passes) != 2 || back.Passes[1].Faults[0] != bad.Faults[0] {
		t.Errorf("%v: %s", err, raw.String())
	}
}
