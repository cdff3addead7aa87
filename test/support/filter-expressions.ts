import { seededRandom } from './crafted-packets.js';

/** Expressions of all parts of pcap-filter(7) that make sense on Ethernet. */
const WRITTEN = `
ip
ip6
arp
rarp
tcp
udp
icmp
icmp6
igmp
sctp
pim
vrrp
esp
ah
ip proto 89
ip6 proto 59
ip proto \\tcp
ip6 protochain 6
ip protochain 17
proto 17
protochain 6
host 10.0.0.1
src host 10.0.0.1
dst host 10.0.0.2
src or dst host 10.0.0.1
src and dst host 10.0.0.1
not host 10.0.0.1
host fd00:1:2:3::1
src host fd00:1:2:3::2
ip6 host ff02::1
arp host 10.0.0.1
net 10.0.0.0/8
src net 192.168.0.0/16
dst net 10.0.0.0 mask 255.0.0.0
net fd00:1:2::/48
ip6 net fe80::/10
port 80
src port 8000
dst port 443
tcp port 22
udp port 53
tcp src port 80
udp dst port 4789
sctp port 80
port 80 or port 443
portrange 8000-9000
tcp portrange 1-1023
src portrange 8000-8010
ether host 02:00:00:00:00:01
ether src 02:00:00:00:00:02
ether dst ff:ff:ff:ff:ff:ff
ether broadcast
ether multicast
ip multicast
ip6 multicast
broadcast
multicast
ether proto 0x88cc
ether proto \\arp
ether proto 0x88a8
less 60
greater 100
len >= 80
len & 1 = 0
len = 60
vlan
vlan 5
vlan 5 and tcp
vlan and ip
vlan and vlan 6
vlan 5 and vlan 6 and udp
vlan and not vlan 6
not vlan
vlan or ip
(vlan 5 and tcp) or arp
vlan and host 10.0.0.1
vlan and ip6 and tcp port 80
mpls
mpls 20
mpls and ip
pppoed
pppoes
pppoes 7
pppoes and ip
pppoes and tcp port 80
tcp[tcpflags] & tcp-rst != 0
tcp[tcpflags] & (tcp-syn|tcp-fin) != 0
tcp[tcpflags] == tcp-syn
tcp[13] & 7 != 0 and not src port 22
tcp[0:2] = 80
tcp[2:2] > 1024
tcp[4:4] > 0x80000000
tcp[8:4] < 0x7fffffff
tcp[12] >> 4 > 5
tcp[(tcp[12] & 0xf0) >> 2] = 0
tcp[((tcp[12:1] & 0xf0) >> 2):4] != 0x47455420
(ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2) != 0
udp[4:2] > 20
udp[8] & 0x80 != 0
udp[8:4] = 0x08000000
icmp[icmptype] = icmp-echo
icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply
icmp[icmpcode] = 1
icmp[0] = 3
icmp6[icmp6type] = icmp6-neighborsolicit
icmp6[0] = 128
ip[0] & 0xf != 5
ip[6:2] & 0x1fff != 0
ip[6:2] & 0x2000 = 0x2000
ip[8] < 64
ip[9] = 6 and ip[16] = 10
ip[1] / 3 = 20
ip[1] % 7 = 3
ip[1] * 5 > 600
ip[1] / ip[8] = 1
ip[1] % ip[8] = 1
ip[1] ^ 0x55 > 128
ip[1] | 3 = 255
ip[1] << 3 > 1000
ip[1] << ip[9] > 1000
ip[4:2] >> ip[1] = 0
ip[4:4] - ip[8:4] > 0x1000
-ip[1] > 0xffffff80
ip[ip[1]] = 0
ip[ip[8]:2] > 1000
ip[ip[1] - 200] = 7
ip6[6] = 6
ip6[40] = 0
ip6[6] = 44 and ip6[42:2] & 0xfff8 != 0
ip6[7] > 64
ether[12:2] > 1500
ether[0] & 1 = 1
ether[14] >> 4 = 4
ether[100] = 0
ether[60:4] != 0
ether[1000] = 0
ether[2040] = 0 or tcp
arp[6:2] = 1
arp[7] = 2
geneve
geneve and tcp
geneve and host 10.0.0.1
iso
stp
ipx
llc
atalk
1 = 1
1 = 2
tcp or udp and port 53
(tcp or udp) and port 53
tcp and (port 80 or port 443) and not host 10.0.0.2
not (tcp or udp)
ip and not (tcp port 80) and ip[8] > 10
ip host 10.0.0.1 and ip6
(tcp[13] & 2 != 0) or (udp[8] = 0) or icmp6
host 10.0.0.1 or host 10.0.0.2 or net 192.168.0.0/16 or host fd00:1:2:3::42
`;

/** At least `count` expressions, written ones first; then those, joined in other ways at each number, always the same. */
export function filterExpressions(count: number): string[] {
  const written = WRITTEN.split('\n').filter(Boolean);
  const random = seededRandom(7);
  // a link-layer header in the middle changes what the rest looks at, so that those stay by themselves
  const simple = written.filter((e) => !/vlan|mpls|pppoe|geneve/.test(e));
  const one = () => `(${simple[random(simple.length)]})`;
  const joined = Array.from({ length: Math.max(0, count - written.length) }, () => {
    const parts = Array.from({ length: 2 + random(3) }, () => `${random(4) === 0 ? 'not ' : ''}${one()}`);
    return parts.reduce((left, right) => `${left} ${random(2) === 0 ? 'and' : 'or'} ${right}`);
  });
  return [...written, ...joined];
}
