"""Statistics: bootstrap, regression within strata and corrections; nothing here knows of studies."""
