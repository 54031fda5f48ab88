#!/usr/bin/env -S node --
require('../dist/bin/boot.js')
