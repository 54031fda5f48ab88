// What commands for images use of undici. The rest (fetch, WebSocket, mocks, caches) takes longer to load than this, and makes
// Node.js load the undici of its own as well.
const Dispatcher = require('undici/lib/dispatcher/dispatcher.js')
const { request } = require('undici/lib/api/index.js')

Object.assign(Dispatcher.prototype, { request })

exports.Agent = require('undici/lib/dispatcher/agent.js')
exports.Client = require('undici/lib/dispatcher/client.js')
exports.EnvHttpProxyAgent = require('undici/lib/dispatcher/env-http-proxy-agent.js')
