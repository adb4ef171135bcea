// A page with OpenFeature's web SDK and the OFREP provider, under plain Node: argv is URL and "sse" or "polling".
const { OpenFeature, ProviderEvents } = require('@openfeature/web-sdk');
const { OFREPWebProvider } = require('@openfeature/ofrep-web-provider');
const { each } = require('./lines.js');

// What browsers have and Node 20 lacks: it connects again by itself, and says where it was.
class EventSource extends EventTarget {
    constructor(url) {
        super();
        this.url = url;
        this.readyState = 0;
        this.stop = new AbortController();
        this.last = '';
        this.run();
    }

    async run() {
        while (this.readyState !== 2) {
            await this.connect().catch(() => {});
            if (this.readyState === 2) return;
            this.readyState = 0;
            this.dispatchEvent(new Event('error'));
            await new Promise(resolve => setTimeout(resolve, 200));
        }
    }

    async connect() {
        const headers = { Accept: 'text/event-stream', ...(this.last ? { 'Last-Event-ID': this.last } : {}) };
        const answer = await fetch(this.url, { headers, signal: this.stop.signal });
        if (answer.status !== 200 || answer.headers.get('content-type') !== 'text/event-stream') throw new Error(answer.status);
        this.readyState = 1;
        this.dispatchEvent(new Event('open'));
        let text = '';
        for await (const bytes of answer.body.pipeThrough(new TextDecoderStream())) {
            text += bytes;
            for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) this.take(text.slice(0, end));
        }
    }

    take(block) {
        const field = name => block.split('\n').filter(line => line.startsWith(`${name}: `)).map(line => line.slice(name.length + 2)).join('\n');
        this.last = field('id') || this.last;
        if (field('data')) this.dispatchEvent(Object.assign(new Event(field('event') || 'message'), { data: field('data') }));
    }

    close() {
        this.readyState = 2;
        this.stop.abort();
    }
}

async function main() {
    const [, , baseUrl, changeDetection] = process.argv;
    const changes = [];
    globalThis.EventSource = EventSource;
    OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, event => changes.push(event.flagsChanged));
    const provider = new OFREPWebProvider({ baseUrl, cacheMode: 'disabled', changeDetection, pollInterval: changeDetection === 'polling' ? 200 : 0 });
    await OpenFeature.setContext({ targetingKey: 'somebody' });
    await OpenFeature.setProviderAndWait(provider).catch(() => {});
    const client = OpenFeature.getClient();
    const ask = { boolean: 'getBooleanDetails', string: 'getStringDetails', number: 'getNumberDetails', object: 'getObjectDetails' };
    each(async question => {
        if (question.context) await OpenFeature.setContext(question.context);
        return question.kind === 'changes' ? { changes } : client[ask[question.kind]](question.key, question.otherwise);
    });
}

main();
