-- Integrations made by REST or the command line. Those of the configuration
-- file have a row in integration alone, for their id. Tokens lie in sealed.
CREATE TABLE integration_settings (
  integration INTEGER PRIMARY KEY REFERENCES integration(id),
  settings    TEXT NOT NULL CHECK (json_valid(settings)), -- no secrets
  created     TEXT NOT NULL,
  changed     TEXT NOT NULL
) STRICT;
