package product_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

func TestBulkKeepsTheGoodItems(t *testing.T) {
	t.Parallel()
	item := func(index int, sku string) product.Item {
		content := shoe()
		content.SKU = sku
		return product.Item{Index: index, Content: content}
	}
	var bulk product.Bulk
	bulk.Add(item(0, "A"))
	bulk.Add(item(1, "not\na sku"))
	bulk.Add(item(2, " A "))
	bulk.Add(item(3, "B"))
	bulk.Add(item(4, "\u200b"))
	bulk.Refuse(0, product.SKUTaken("A"))

	if diff := cmp.Diff([]product.Item{item(0, "A"), item(3, "B")}, bulk.Items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	want := []product.Refusal{
		{Index: 0, Code: "sku_taken", Detail: "There is already a product with the SKU A."},
		{Index: 1, Code: "invalid_value", Detail: "sku must have printable characters only, without line breaks, control and invisible formatting characters."},
		{Index: 2, Code: "duplicate_sku", Detail: "An earlier item has the SKU A."},
		{Index: 4, Code: "invalid_value", Detail: "sku must have printable characters only, without line breaks, control and invisible formatting characters."},
	}
	if diff := cmp.Diff(want, bulk.Refusals); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
}
