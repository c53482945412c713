// Package bots tells crawlers and automated browsers from people by the header User-Agent. It finds those that say what they are; a program
// that pretends to be a person's browser is not found.
package bots

import "strings"

// tokens are parts of the names of programs that visit pages and are no people, in lower case.
var tokens = []string{
	"bot", "crawl", "spider", "slurp", "headless", "phantomjs", "lighthouse", "pagespeed", "puppeteer", "playwright",
	"selenium", "webdriver", "facebookexternalhit", "whatsapp", "embedly", "bingpreview", "google-read-aloud", "mediapartners-google",
	"apis-google", "feedfetcher", "ia_archiver", "archive.org", "prerender", "pingdom", "uptimerobot", "statuscake", "site24x7", "gtmetrix",
	"screaming frog", "validator", "scrapy", "python-requests", "python-urllib", "aiohttp", "httpclient", "http_request",
}

// people are names that contain a token and belong to people's devices: CUBOT makes phones.
var people = strings.NewReplacer("cubot", "")

// Find returns the token by which a User-Agent is that of a bot; empty for a person's.
func Find(userAgent string) string {
	name := people.Replace(strings.ToLower(userAgent))
	for _, token := range tokens {
		if strings.Contains(name, token) {
			return token
		}
	}
	return ""
}
