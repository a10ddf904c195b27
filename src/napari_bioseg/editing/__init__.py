"""Tools that correct labels: each looks at a plane or a volume and says what to change, as one step."""
