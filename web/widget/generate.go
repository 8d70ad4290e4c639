package widget

//go:generate sh -c "cd ../.. && go run ./scripts/widget"
