// Questions on standard input, answers on standard output, until the input ends.
const readline = require('node:readline');

exports.each = answer => {
    readline.createInterface({ input: process.stdin }).on('line', async line => console.log(JSON.stringify(await answer(JSON.parse(line)))))
        .on('close', () => process.exit(0));
    console.log('{"there": true}');
};
