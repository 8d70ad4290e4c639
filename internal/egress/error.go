package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"syscall"
)

// BlockedError is a connection that was refused because of where it would lead. Its text tells neither what
// stands at the address nor what a name resolved to.
type BlockedError struct{ Reason string }

func (e *BlockedError) Error() string { return "blocked address: " + e.Reason }

// IsBlocked reports whether an error means that the address was refused.
func IsBlocked(err error) bool {
	_, ok := errors.AsType[*BlockedError](err)
	return ok
}

// errNotPublic is the one answer for every address that is not public, so that it tells nothing of a network.
var errNotPublic = &BlockedError{"it is not public, and the operator of this server has not allowed it"}

// RedirectError is a redirect that was not followed although it leads to no blocked address.
type RedirectError struct{ Reason string }

func (e *RedirectError) Error() string { return "redirect refused: " + e.Reason }

// ConnectError is a request that got no answer. Its text says why in plain words and without addresses; Cause
// is for logs of the server's operator.
type ConnectError struct {
	Reason string
	Cause  error
}

func (e *ConnectError) Error() string { return e.Reason }
func (e *ConnectError) Unwrap() error { return e.Cause }

// Timeout makes net/http treat an end of time as one.
func (e *ConnectError) Timeout() bool { return errors.Is(e.Cause, context.DeadlineExceeded) }

// Explain turns an error of a request, also one that a library made of a client's error, into one whose text may
// be shown: it tells no address, no banner and nothing of the URL. It returns nil for nil.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	if blocked, ok := errors.AsType[*BlockedError](err); ok {
		return blocked
	}
	if redirected, ok := errors.AsType[*RedirectError](err); ok {
		return redirected
	}
	if known, ok := errors.AsType[*ConnectError](err); ok {
		return known
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok { // its text has the URL, which may hold secrets
		err = wrapped.Err
	}
	return &ConnectError{Reason: reason(err), Cause: err}
}

func reason(err error) string {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	_, isCert := errors.AsType[*tls.CertificateVerificationError](err)
	_, isName := errors.AsType[x509.HostnameError](err)
	_, isAlert := errors.AsType[tls.AlertError](err)
	_, isRecord := errors.AsType[tls.RecordHeaderError](err)
	network, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "the request was stopped"
	case errors.Is(err, context.DeadlineExceeded):
		return "the server did not answer in time"
	case isDNS && dns.IsNotFound:
		return "the name of the server was not found"
	case isDNS:
		return "the name of the server could not be looked up"
	case isCert || isName:
		return "the server's certificate is not valid for its name"
	case isAlert || isRecord:
		return "the server does not speak TLS as expected"
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge.Error()
	case errors.Is(err, errNotGzip):
		return errNotGzip.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the server refused the connection"
	case isNet && network.Timeout():
		return "the server did not answer in time"
	}
	return "the connection to the server failed"
}
