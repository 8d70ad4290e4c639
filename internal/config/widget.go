package config

import "fmt"

// Widget bounds what the visitors of websites can cost. 0 is no limit.
type Widget struct {
	SessionsPerAddress int `name:"sessions-per-address" env:"PARLEY_WIDGET_SESSIONS_PER_ADDRESS" default:"300" help:"Chats that one address (IPv6: one /64) may open in a minute. 0: any number, as for all widget limits."`
	MessagesPerAddress int `name:"messages-per-address" env:"PARLEY_WIDGET_MESSAGES_PER_ADDRESS" default:"120" help:"Messages from one address in a minute."`
	MessagesPerVisitor int `name:"messages-per-visitor" env:"PARLEY_WIDGET_MESSAGES_PER_VISITOR" default:"30" help:"Messages of one visitor in a minute."`
	DailyPerAddress    int `name:"daily-per-address" env:"PARLEY_WIDGET_DAILY_PER_ADDRESS" default:"3000" help:"Messages from one address to one agent on a UTC day."`
	DailyPerVisitor    int `name:"daily-per-visitor" env:"PARLEY_WIDGET_DAILY_PER_VISITOR" default:"500" help:"Messages of one visitor on a UTC day."`
	RunsPerAddress     int `name:"runs-per-address" env:"PARLEY_WIDGET_RUNS_PER_ADDRESS" default:"30" help:"Answers that are being written at once for one address."`
	RunsPerAgent       int `name:"runs-per-agent" env:"PARLEY_WIDGET_RUNS_PER_AGENT" default:"500" help:"Answers that one agent's visitors get written at once by this process."`
}

func (w Widget) checkBudgets() error {
	for name, n := range map[string]int{
		"SESSIONS_PER_ADDRESS": w.SessionsPerAddress, "MESSAGES_PER_ADDRESS": w.MessagesPerAddress, "MESSAGES_PER_VISITOR": w.MessagesPerVisitor,
		"DAILY_PER_ADDRESS": w.DailyPerAddress, "DAILY_PER_VISITOR": w.DailyPerVisitor, "RUNS_PER_ADDRESS": w.RunsPerAddress, "RUNS_PER_AGENT": w.RunsPerAgent,
	} {
		if n < 0 {
			return problem("PARLEY_WIDGET_"+name, fmt.Sprintf("is %d", n), "give a number, or 0 for no limit")
		}
	}
	return nil
}
