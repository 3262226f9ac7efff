//! XML documents with one of their parts mutilated.

use quick_xml::{Reader, escape::escape, events::Event};

/// An element as it is written.
#[derive(Debug, Clone, Default)]
pub struct Node {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Node>,
}

impl Node {
    pub fn read(document: &str) -> Self {
        let mut reader = Reader::from_str(document);
        let mut open = vec![Self::default()];
        loop {
            let event = reader.read_event().unwrap();
            match &event {
                Event::Start(start) | Event::Empty(start) => {
                    let attributes = start.attributes().map(Result::unwrap);
                    let attributes =
                        attributes.map(|one| (one.key.as_ref().to_owned(), one.value.into_owned())).collect();
                    let node = Self { name: start.name().as_ref().to_owned(), attributes, ..Self::default() };
                    match event {
                        Event::Empty(_) => open.last_mut().unwrap().children.push(node),
                        _ => open.push(node),
                    }
                }
                Event::End(_) => {
                    let done = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(done);
                }
                Event::Text(text) => open.last_mut().unwrap().text.push_str(text),
                Event::Eof => return open.remove(0).children.remove(0),
                _ => {}
            }
        }
    }

    fn write(&self, into: &mut String) {
        into.push('<');
        into.push_str(&self.name);
        for (name, value) in &self.attributes {
            into.extend([" ", name, "=\"", &escape(value.as_str()), "\""]);
        }
        into.push('>');
        into.push_str(&escape(self.text.as_str()));
        self.children.iter().for_each(|child| child.write(into));
        into.extend(["</", &self.name, ">"]);
    }

    fn at(&mut self, path: &[usize]) -> &mut Self {
        path.iter().fold(self, |node, n| &mut node.children[*n])
    }

    fn local(&self) -> &str {
        self.name.rsplit(':').next().unwrap_or_default()
    }
}

/// Every way to spoil one part of a document. What stands directly in one of the `lists` is spoilt and not removed,
/// and neither are the lists: nobody could know of what is missing.
pub fn spoilt(whole: &Node, lists: &[&str]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut paths: Vec<Vec<usize>> = vec![Vec::new()];
    while let Some(path) = paths.pop() {
        let here = whole.clone().at(&path).clone();
        let mut put = |what: String, change: &dyn Fn(&mut Node)| {
            let mut copy = whole.clone();
            change(copy.at(&path));
            let mut text = String::new();
            copy.write(&mut text);
            all.push((format!("{}: {what}", here.name), text));
        };
        put("renamed".to_owned(), &|node| node.name.push('x'));
        for text in ["", "?", "7", "\u{1}"] {
            if !here.text.is_empty() {
                put(format!("text {text:?}"), &|node| text.clone_into(&mut node.text));
            }
        }
        for cut in 1..here.text.len().min(40) {
            put(format!("text cut at {cut}"), &|node| node.text.truncate(cut));
        }
        for n in 0..here.attributes.len() {
            let name = &here.attributes[n].0;
            if name.starts_with("xmlns") {
                continue;
            }
            put(format!("{name} removed"), &|node| drop(node.attributes.remove(n)));
            for value in ["", "?", "7"] {
                put(format!("{name}={value:?}"), &|node| value.clone_into(&mut node.attributes[n].1));
            }
        }
        let is_list = lists.contains(&here.local());
        for (n, child) in here.children.iter().enumerate() {
            if !is_list && !lists.contains(&child.local()) {
                put(format!("{} removed", child.name), &|node| drop(node.children.remove(n)));
            }
            paths.push([path.as_slice(), &[n]].concat());
        }
    }
    all
}
