package tool

import (
	"context"
	"errors"
)

// http makes the request of an HTTP tool.
func (r *Runner) http(_ context.Context, _ job) (answer, error) {
	return answer{}, errors.New("not yet")
}
