// Command vulnerabilities writes a database of vulnerabilities in Grype's own format, for a place that cannot download Grype's.
//
//	vulnerabilities records.json FOLDER
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
)

// record is one vulnerability of a product that a CPE names.
type record struct {
	ID         string `json:"id"`
	Severity   string `json:"severity"`
	Vendor     string `json:"vendor"`
	Product    string `json:"product"`
	Constraint string `json:"constraint"`
	// Fixed is the first version without it; empty when there is none.
	Fixed string `json:"fixed"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: vulnerabilities records.json FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func write(file, folder string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var records []record
	if err := json.Unmarshal(text, &records); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(records) == 0 {
		return fmt.Errorf("%s has no records", file)
	}
	database, err := v6.NewWriter(v6.Config{DBDirPath: folder})
	if err != nil {
		return err
	}
	for _, record := range records {
		if err := add(database, record); err != nil {
			return fmt.Errorf("%s: %w", record.ID, err)
		}
	}
	if err := database.SetDBMetadata(); err != nil {
		return err
	}
	return database.Close()
}

func add(database v6.ReadWriter, record record) error {
	now := time.Now()
	vulnerability := &v6.VulnerabilityHandle{
		Name:          record.ID,
		Status:        v6.VulnerabilityActive,
		PublishedDate: &now,
		// Grype knows the matches by CPE from this provider.
		Provider: &v6.Provider{ID: "nvd", Version: "1", Processor: "vulnerabilities", DateCaptured: &now},
		BlobValue: &v6.VulnerabilityBlob{
			ID:         record.ID,
			Severities: []v6.Severity{{Scheme: v6.SeveritySchemeCHMLN, Value: record.Severity, Rank: 1}},
		},
	}
	if err := database.AddVulnerabilities(vulnerability); err != nil {
		return err
	}
	fix := &v6.Fix{State: v6.NotFixedStatus}
	if record.Fixed != "" {
		fix = &v6.Fix{State: v6.FixedStatus, Version: record.Fixed}
	}
	return database.AddAffectedCPEs(&v6.AffectedCPEHandle{
		VulnerabilityID: vulnerability.ID,
		CPE:             &v6.Cpe{Part: "a", Vendor: record.Vendor, Product: record.Product},
		BlobValue: &v6.PackageBlob{
			CVEs:   []string{record.ID},
			Ranges: []v6.Range{{Version: v6.Version{Constraint: record.Constraint}, Fix: fix}},
		},
	})
}
