#!/usr/bin/env node
require('../dist/bin/boot.js')
