#!/bin/sh
# One small file that every part would change.
set -eu
git init -q -b main
printf 'class Config:\n    name = ""\n' >config.py
git add config.py
git -c user.name=User -c user.email=user@example.com commit -qm 'a configuration'
