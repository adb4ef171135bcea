// An application with OpenFeature's server SDK and the OFREP provider. A line of JSON is one question, a line is its answer.
const { OpenFeature } = require('@openfeature/server-sdk');
const { OFREPProvider } = require('@openfeature/ofrep-provider');
const { each } = require('./lines.js');

async function main() {
    await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: process.argv[2] }));
    const client = OpenFeature.getClient();
    const ask = { boolean: 'getBooleanDetails', string: 'getStringDetails', number: 'getNumberDetails', object: 'getObjectDetails' };
    each(async question => client[ask[question.kind]](question.key, question.otherwise, question.context));
}

main();
