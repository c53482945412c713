package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// fill makes the API key and the products.
func (p *platform) fill(ctx context.Context) error {
	var login struct {
		AccessToken string `json:"access_token"`
	}
	auth := p.services["auth"].url
	if err := post(ctx, auth+"/auth/login", "", `{"email":"`+adminEmail+`","password":"`+adminPassword+`"}`, &login); err != nil {
		return err
	}
	var key struct {
		Key string `json:"key"`
	}
	if err := post(ctx, auth+"/auth/api-keys", login.AccessToken, `{"name":"bench","scopes":["ingest","read"]}`, &key); err != nil {
		return err
	}
	p.key = key.Key
	list := make([]string, products)
	for i := range list {
		list[i] = fmt.Sprintf(`{"sku":"BENCH-%04d","name":"Product %d","price_minor":%d,"currency":"EUR"}`, i, i, 100+i)
	}
	if err := post(ctx, p.services["catalog"].url+"/products/bulk", login.AccessToken, `{"products":[`+strings.Join(list, ",")+`]}`, nil); err != nil {
		return err
	}
	rows, err := p.db.Query(ctx, `SELECT id::text FROM catalog.products ORDER BY sku`)
	if err != nil {
		return fmt.Errorf("read the products: %w", err)
	}
	if p.products, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return fmt.Errorf("read the products: %w", err)
	}
	return nil
}
