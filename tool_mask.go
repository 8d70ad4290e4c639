package parley

import (
	"slices"
	"strings"
)

// Mask stands in answers for a hidden value. Sent back in a PATCH, it keeps the stored value.
const Mask = "••••"

// Words that make a header or query entry a credential by its name, without case and separators: anywhere in
// the name, or as the whole of it.
var (
	credentialParts = []string{"authorization", "cookie", "apikey", "accesskey", "privatekey", "subscriptionkey", "token",
		"secret", "password", "passwd", "credential", "session", "signature"}
	credentialNames = []string{"auth", "xauth", "key", "xkey", "sig", "pass", "pwd", "jwt"}
)

// isCredentialName reports whether a header or query entry of this name usually carries a credential.
func isCredentialName(name string) bool {
	plain := strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(strings.ToLower(name))
	return slices.Contains(credentialNames, plain) ||
		slices.ContainsFunc(credentialParts, func(part string) bool { return strings.Contains(plain, part) })
}

// isHidden reports whether a value is a credential that is never shown again: by the entry's name or, under
// any name, by an authentication scheme before it. What consists of templates only is no credential.
func isHidden(name, value string) bool {
	if value == "" {
		return false
	}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !isCredentialName(name) && (!isAuthScheme(scheme) || rest == "") {
		return false
	}
	parts, _ := parseTemplate(value)
	return !onlyTemplates(parts)
}

// Masked returns a copy that may be shown: credentials in headers and query are replaced by Mask.
func (h HTTPTool) Masked() HTTPTool {
	h.Headers, h.Query = masked(h.Headers), masked(h.Query)
	return h
}

func masked(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for name, value := range m {
		if isHidden(name, value) {
			value = Mask
		}
		out[name] = value
	}
	return out
}

// unmask puts the stored values in the place of their masks and returns the names of those. A mask that
// stands for nothing is a problem.
func unmask(in *Input, member string, sent, stored map[string]string) (kept []string) {
	for name, value := range sent {
		if value != Mask {
			continue
		}
		old, ok := stored[name]
		for other, v := range stored { // names of headers have no case
			if member == "headers" && !ok && strings.EqualFold(other, name) {
				old, ok = v, true
			}
		}
		if !ok || !isHidden(name, old) {
			in.Fail(member+"."+name, "has a mask in the place of its value. Send the value.")
			continue
		}
		sent[name] = old
		kept = append(kept, name)
	}
	return kept
}

// hiddenNames are the entries that hold credentials.
func hiddenNames(m map[string]string) (names []string) {
	for name, value := range m {
		if isHidden(name, value) {
			names = append(names, name)
		}
	}
	return names
}

// Credentials are the hidden values of headers and query, and their last words: what stands after an authentication
// scheme. Where an answer holds one of them, it is masked.
func (h HTTPTool) Credentials() (values []string) {
	for _, m := range []map[string]string{h.Headers, h.Query} {
		for _, name := range hiddenNames(m) {
			words := strings.Fields(m[name])
			values = append(values, m[name], words[len(words)-1])
		}
	}
	return values
}
