#!/bin/sh
# Makes the callers' phrases in examples/ with Debian's flite (apt-get install flite). Run it from the
# repository's root; the results are committed. Licence: see examples/README.md.
set -eu
say() { flite -voice rms -t "$2" -o "examples/$1.wav"; }
say hello "Hello, I would like to book a table for two tomorrow evening."
say hours "What are your opening hours?"
say time "What time is it now?"
say wait "Wait, sorry, I have another question."
