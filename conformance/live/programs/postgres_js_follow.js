// A table in a Map, by postgres.js.
const postgres = require('postgres')

// Keep the rows of `table` by key, as long as the program runs; `show` them after every commit.
function follow(table, show) {
  const rows = new Map()
  let complete = false
  let sql
  let silence

  function hear(payload) {
    watch()
    const change = JSON.parse(payload)
    switch (change.op) {
      case 'progress': // nothing happened, and the link is there
        return
      case 'reset': // a first or a new LISTEN: the rows follow …
        rows.clear()
        complete = false
        return
      case 'ready': // … and these were all
        complete = true
        return show(rows)
      case 'error':
        // Too slow for too long: begin anew. After 57P01 the link is lost, and the driver does so by itself.
        if (change.code === '72000') listen()
        return
    }
    if (change.op === 'truncate') rows.clear()
    else if (change.op === 'delete') rows.delete(change.key[0])
    else rows.set(change.key[0], change.row)
    if (complete && change.last) show(rows)
  }

  // The driver forgets a LISTEN for good when the server ends while it waits for the answer, and a cable that
  // was pulled is silent, too: who hears nothing, not even of the progress, begins anew.
  function watch() {
    clearTimeout(silence)
    silence = setTimeout(listen, 5000)
  }

  function listen() {
    sql?.end({ timeout: 0 })
    const mine = (sql = postgres({ backoff: (retries) => Math.min(0.05 * retries, 1) }))
    watch()
    // The options are in the channel's name, since LISTEN and a name is all that sql.listen() sends; it sends
    // the same again whenever the link was lost, and has the rows again. Only the first time it also rejects.
    mine
      .listen(`${table}?snapshot=true&progress=1s`, (payload) => mine === sql && hear(payload))
      .catch((error) => {
        if (error.name === 'PostgresError' && !error.code.startsWith('57')) throw error
      })
  }
  listen()
}

// For the runner: the end is a row 0.
function show(rows) {
  if (rows.has('0')) {
    console.log(JSON.stringify(Object.fromEntries(rows)))
    process.exit(0)
  }
}

follow(process.argv[2], show)
