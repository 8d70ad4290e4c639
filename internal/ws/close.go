package ws

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Statuses of RFC 6455 section 7.4.1.
const (
	StatusNormal    = 1000
	StatusGoingAway = 1001
	StatusNone      = 1005 // the peer's goodbye named no status; never sent

	statusProtocol    = 1002
	statusUnsupported = 1003
	statusInvalid     = 1007
	statusTooBig      = 1009
)

// CloseError says that the peer said goodbye, and how.
type CloseError struct {
	Status int // StatusNone if it named none
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("websocket: closed by the peer with status %d %q", e.Status, e.Reason)
}

// CloseStatus is the status of a *CloseError in err, or -1: the connection did not end with the peer's goodbye.
func CloseStatus(err error) int {
	var e *CloseError
	if errors.As(err, &e) {
		return e.Status
	}
	return -1
}

var (
	// ErrSlowPeer says that the peer did not read fast enough and the send queue is full.
	ErrSlowPeer = errors.New("websocket: send queue full, peer reads too slowly")
	// ErrClosed says that the connection was closed on this side.
	ErrClosed = errors.New("websocket: closed")
	// ErrTooBig says that the peer sent a message larger than Options.ReadLimit.
	ErrTooBig error = &violation{statusTooBig, "message larger than the limit"}

	// errCut wraps io.ErrUnexpectedEOF: the peer is gone and did not say goodbye.
	errCut    = fmt.Errorf("websocket: cut without a goodbye: %w", io.ErrUnexpectedEOF)
	errNoPong = errors.New("websocket: the peer did not answer a ping in time")

	errReservedBits  = &violation{statusProtocol, "reserved bits are set, but no extension was agreed on"}
	errOpcode        = &violation{statusProtocol, "unknown opcode"}
	errControl       = &violation{statusProtocol, "control frame that is fragmented or longer than 125 bytes"}
	errLength        = &violation{statusProtocol, "frame length of more than 63 bits"}
	errMasked        = &violation{statusProtocol, "masked frame from a server"}
	errUnmasked      = &violation{statusProtocol, "unmasked frame from a client"}
	errContinuation  = &violation{statusProtocol, "continuation of no message"}
	errInterrupted   = &violation{statusProtocol, "new message before the end of the last one"}
	errClosePayload  = &violation{statusProtocol, "close frame with an invalid status"}
	errText          = &violation{statusInvalid, "text that is not UTF-8"}
	errBinaryMessage = &violation{statusUnsupported, "binary message where text was expected"}
)

// violation is what the peer must not have done, and the status to tell it.
type violation struct {
	status int
	text   string
}

func (v *violation) Error() string { return "websocket: " + v.text }

// appendClose appends the payload of a close frame; a reason that is too long or not UTF-8 is cut to what may be sent.
func appendClose(dst []byte, status int, reason string) []byte {
	if status == StatusNone {
		return dst
	}
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxControl-2)], "")
	return append(binary.BigEndian.AppendUint16(dst, uint16(status)), reason...)
}

// parseClose reads the payload of a close frame: a *CloseError, or a *violation.
func parseClose(b []byte) error {
	if len(b) == 0 {
		return &CloseError{Status: StatusNone}
	}
	if len(b) == 1 {
		return errClosePayload
	}
	e := &CloseError{Status: int(binary.BigEndian.Uint16(b)), Reason: string(b[2:])}
	switch s := e.Status; {
	case s >= 1000 && s <= 1003, s >= 1007 && s <= 1014, s >= 3000 && s <= 4999:
	default:
		return errClosePayload
	}
	if !utf8.ValidString(e.Reason) {
		return errText
	}
	return e
}
