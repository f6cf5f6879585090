// Package main is Pulumi's Kubernetes provider, built from its public module.
//
// The build step writes schema.json and terraform-mapping.json beside this file: they come from the
// module's own cmd/pulumi-resource-kubernetes, the schema with the provider's version set.
//
// Source: github.com/pulumi/pulumi-kubernetes v4.25.0, provider/cmd/pulumi-resource-kubernetes/main.go.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}
