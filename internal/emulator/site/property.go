package site

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Limits of content properties.
const (
	maxPropertyKey   = 255    // characters
	maxPropertyValue = 32_768 // bytes of JSON
)

// Property is a JSON value that an app keeps with a content. Its version has
// no title and no storage.
type Property struct {
	ID, Key string
	Value   json.RawMessage
	Version Version
}

// Property finds a property of c by key.
func (c *Content) Property(key string) (Property, bool) {
	return c.propertyWhere(func(p Property) bool { return p.Key == key })
}

// PropertyByID finds a property of c by its id.
func (c *Content) PropertyByID(id string) (Property, bool) {
	return c.propertyWhere(func(p Property) bool { return p.ID == id })
}

func (c *Content) propertyWhere(match func(Property) bool) (Property, bool) {
	i := slices.IndexFunc(c.Properties, match)
	if i < 0 {
		return Property{}, false
	}
	return c.Properties[i], true
}

// CreateProperty adds a property to a content that the user may change. 400 for
// a bad key or value, 409 when the key is there already.
func (e *Edit) CreateProperty(id, key string, value json.RawMessage) (Property, error) {
	old, err := e.editable(id)
	if err != nil {
		return Property{}, err
	}
	if key == "" || len(key) > maxPropertyKey {
		return Property{}, refuse(400, fmt.Sprintf("The key of a property has 1 to %d characters", maxPropertyKey))
	}
	if err := checkProperty(value); err != nil {
		return Property{}, err
	}
	if _, exists := old.Property(key); exists {
		return Property{}, refuse(409, fmt.Sprintf("A property with the key [%s] already exists", key))
	}
	p := Property{ID: e.site.newID(), Key: key, Value: value, Version: Version{Number: 1, At: e.stamp(), By: e.user}}
	c := *old
	c.Properties = append(slices.Clip(old.Properties), p)
	e.site.put(&c)
	return p, nil
}

// UpdateProperty gives a property a new value as version number. 404 without
// one of that key, 409 when the number is not the next one.
func (e *Edit) UpdateProperty(id, key string, value json.RawMessage, number int, message string) (Property, error) {
	old, i, err := e.editableProperty(id, key)
	if err != nil {
		return Property{}, err
	}
	if err := checkProperty(value); err != nil {
		return Property{}, err
	}
	if now := old.Properties[i].Version.Number; number != now+1 {
		return Property{}, refuse(409, fmt.Sprintf("Version must be incremented on update. Current version is: %d", now))
	}
	c := *old
	c.Properties = slices.Clone(old.Properties)
	c.Properties[i].Value = value
	c.Properties[i].Version = Version{Number: number, At: e.stamp(), By: e.user, Message: message}
	e.site.put(&c)
	return c.Properties[i], nil
}

// DeleteProperty removes a property; 404 without one of that key.
func (e *Edit) DeleteProperty(id, key string) error {
	old, i, err := e.editableProperty(id, key)
	if err != nil {
		return err
	}
	c := *old
	c.Properties = slices.Delete(slices.Clone(old.Properties), i, i+1)
	e.site.put(&c)
	return nil
}

func (e *Edit) editableProperty(id, key string) (c *Content, at int, err error) {
	if c, err = e.editable(id); err != nil {
		return nil, 0, err
	}
	at = slices.IndexFunc(c.Properties, func(p Property) bool { return p.Key == key })
	if at < 0 {
		return nil, 0, refuse(404, fmt.Sprintf("No property with the key [%s] on content with id [%s]", key, id))
	}
	return c, at, nil
}

func checkProperty(value json.RawMessage) error {
	if len(value) == 0 || len(value) > maxPropertyValue {
		return refuse(400, fmt.Sprintf("The value of a property is JSON of at most %d bytes", maxPropertyValue))
	}
	return nil
}
