"""Who speaks and what they may: tokens, OIDC, the table of permissions, reading without others' documents."""
